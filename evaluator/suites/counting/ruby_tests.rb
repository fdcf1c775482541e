File.delete(*Dir["tests{.rb,}"])

class Results
  def initialize(bytes)
    @bytes, @at = bytes, 0
  end

  def take(size)
    exit 1 if @at + size > @bytes.bytesize
    @at += size
    @bytes.byteslice(@at - size, size)
  end

  def number
    digits = @bytes.byteslice(@at, 4096)[/\A-?\d+;/] || long_number
    @at += digits.size
    digits.to_i
  end

  def long_number
    @bytes.byteslice(@at, @bytes.bytesize)[/\A-?\d+;/] || exit(1)
  end

  def value
    case take(1)
    when "n" then nil
    when "t" then true
    when "f" then false
    when "i" then number
    when "d" then take(8).unpack1("G")
    when "r" then rational
    when "s" then text
    when "y" then text.to_sym
    when "a" then Array.new(size) { value }
    when "h" then Array.new(size) { [value, value] }.to_h
    else Object.new
    end
  end

  def rational
    above, below = value, value
    below.is_a?(Integer) && below > 0 && above.is_a?(Integer) ? Rational(above, below) : Object.new
  end

  def text
    take(size).force_encoding("UTF-8")
  end

  def size
    number.clamp(0, @bytes.bytesize - @at)
  end
end

def weighbridge_run(name, tests)
  calls = []
  tests.call(->(*arguments) { calls << arguments; nil }, ->(*) {})
  File.binwrite("calls", Marshal.dump([name, calls]))
  system("ruby", "caller.rb", in: File::NULL, out: File::NULL)
  results = Results.new(File.binread("results"))
  passed = 0
  tests.call(->(*) { results.value }, ->(expected, actual) { expected == actual ? passed += 1 : exit(1) })
  passed
end
