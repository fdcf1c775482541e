# Values as bytes, for the tests and the caller alike. A scalar is what it prints as: so the tests compare it.

sub weighbridge_encode {
    my ($value, $depth) = @_;
    die "too deep" if $depth > 200;
    return 'n' if !defined $value;
    if (!ref $value) {
        my $text = "$value";
        my $kind = utf8::is_utf8($text) ? 'u' : 's';
        utf8::encode($text) if $kind eq 'u';
        return $kind . length($text) . ';' . $text;
    }
    if (ref $value eq 'ARRAY') {
        return join '', 'a', scalar(@$value), ';', map { weighbridge_encode($_, $depth + 1) } @$value;
    }
    if (ref $value eq 'HASH') {
        my @pairs = map { ($_, $value->{$_}) } keys %$value;
        return join '', 'h', scalar(@pairs), ';', map { weighbridge_encode($_, $depth + 1) } @pairs;
    }
    return 'o';
}
