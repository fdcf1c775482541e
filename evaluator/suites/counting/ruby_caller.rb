# Loads the solution, makes the calls that `calls` holds, and writes what they return to `results`.

encode = lambda do |value, depth|
  raise "too deep" if depth > 200

  case value
  when nil then "n"
  when true then "t"
  when false then "f"
  when Integer then "i#{value};"
  when Float then "d" + [value].pack("G")
  when Rational then "r" + encode.(value.numerator, depth) + encode.(value.denominator, depth)
  when String then "s#{value.bytesize};".b + value.b
  when Symbol then "y#{value.to_s.bytesize};".b + value.to_s.b
  when Array then value.inject("a#{value.size};".b) { |sum, item| sum << encode.(item, depth + 1) }
  when Hash
    value.inject("h#{value.size};".b) { |sum, (key, item)| sum << encode.(key, depth + 1) << encode.(item, depth + 1) }
  else "o"
  end
end

name, calls = Marshal.load(File.binread("calls"))
load "./solution.rb"
function = method(name)
File.open("results", "wb") do |file|
  calls.each do |arguments|
    file.write(encode.(function.call(*arguments), 0))
    file.flush
  end
end
