
unlink 'tests.pl', 'tests';

our ($weighbridge_learning, $weighbridge_passed, $weighbridge_bytes, @weighbridge_calls) = (1, 0, '');

sub weighbridge_take {
    my ($pattern) = @_;
    exit 1 if $weighbridge_bytes !~ /\G$pattern/gcs;
    return $1;
}

sub weighbridge_text {
    my $size = weighbridge_take('(\d{1,9});');
    my $start = pos $weighbridge_bytes;
    exit 1 if $start + $size > length $weighbridge_bytes;
    pos($weighbridge_bytes) = $start + $size;
    return substr $weighbridge_bytes, $start, $size;
}

sub weighbridge_value {
    my $kind = weighbridge_take('(.)');
    return undef if $kind eq 'n';
    return weighbridge_text() if $kind eq 's';
    if ($kind eq 'u') {
        my $text = weighbridge_text();
        utf8::decode($text);
        return $text;
    }
    return \'an object' if $kind ne 'a' && $kind ne 'h';
    my @items;
    push @items, weighbridge_value() for 1 .. weighbridge_take('(\d{1,9});');
    return $kind eq 'a' ? \@items : {@items};
}

# Test::Deep's, for values without objects.
sub weighbridge_equal {
    my ($got, $expected) = @_;
    return !defined $got && !defined $expected if !defined $got || !defined $expected;
    return 0 if ref $got ne ref $expected;
    return $got eq $expected if !ref $got;
    if (ref $got eq 'ARRAY') {
        return 0 if @$got != @$expected;
        weighbridge_equal($got->[$_], $expected->[$_]) or return 0 for 0 .. $#$got;
        return 1;
    }
    return 0 if ref $got ne 'HASH' || keys %$got != keys %$expected;
    exists $got->{$_} && weighbridge_equal($got->{$_}, $expected->{$_}) or return 0 for keys %$expected;
    return 1;
}

sub eq_deeply {
    my ($got, $expected) = @_;
    return 1 if $weighbridge_learning;
    return weighbridge_equal($got, $expected) && ++$weighbridge_passed;
}

sub weighbridge_candidate {
    return weighbridge_value() if !$weighbridge_learning;
    push @weighbridge_calls, [@_];
    return undef;
}

sub weighbridge_run {
    my ($name, $tests) = @_;
    require Storable;
    $tests->();
    Storable::store([$name, \@weighbridge_calls], 'calls');
    system 'exec perl caller.pl </dev/null >/dev/null';
    open my $file, '<:raw', 'results' or exit 1;
    $weighbridge_bytes = do { local $/; <$file> } // '';
    $weighbridge_learning = 0;
    $tests->();
    return $weighbridge_passed;
}
