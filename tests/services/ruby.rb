require 'digest'
require 'json'
require 'set'
require 'zlib'

def sha(text) = Digest::SHA256.hexdigest(text)

Node = Struct.new(:left, :right, :value)
def tree(depth) = depth.zero? ? nil : Node.new(tree(depth - 1), tree(depth - 1), depth)
def total(node) = node ? total(node.left) + node.value + total(node.right) : 0
puts "trees #{(1..6).sum { total(tree(14)) }}"

words = (1..80_000).group_by { |i| (i * 7919 % 1009).to_s(36) }.transform_values { |v| v.map { |i| 'w' * (i % 40) + i.to_s } }
puts "hash #{sha(words.sort.flatten.join(','))}"
GC.start
GC.compact if GC.respond_to?(:compact)

json = JSON.generate(words)
puts "json #{json.size} #{JSON.parse(json) == words}"
packed = Zlib::Deflate.deflate(json, 9)
puts "zlib #{Zlib::Inflate.inflate(packed) == json}"
puts "regexp #{json.scan(/w{10,12}\d+/).size} #{sha(json.gsub(/w+(\d)/) { "#{$1}-" })}"
puts "bignum #{sha((1..2500).inject(:*).to_s)}"

queue = Queue.new
threads = 8.times.map { |t| Thread.new { 2000.times { |i| queue << ("#{t}:" + 'q' * (i % 100)) } } }
threads.each(&:join)
puts "threads #{sha(Array.new(queue.size) { queue.pop }.sort.join)}"
puts "fibers #{(1..3000).map { |i| Fiber.new { Fiber.yield i; i * 2 } }.sum { |f| f.resume + f.resume }}"

pids = (1..4).map { |n| fork { exit!(words.values.sum(&:size) == 80_000 && tree(n + 8) ? n : 99) } }
puts "children #{pids.map { |pid| Process.wait2(pid)[1].exitstatus }.join(' ')}"
puts "set #{Set.new((1..100_000).map { |i| i * i % 65_537 }).size}"
