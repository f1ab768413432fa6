use strict;
use warnings;
use Config;
use Digest::SHA qw(sha256_hex);
use List::Util qw(sum reduce);

my $seed = 1;
sub next_random { $seed = ($seed * 1103515245 + 12345) % 2147483648 }

my %words;
push @{$words{next_random() % 5000}}, join '-', map { chr(97 + next_random() % 26) x (1 + $_ % 9) } 1 .. 8 for 1 .. 60000;
print "words ", sha256_hex(join ',', map { $_, sort @{$words{$_}} } sort { $a <=> $b } keys %words), "\n";

my $text = join ' ', map { @$_ } @words{sort keys %words};
my $count = () = $text =~ /([a-m]+)-(?=[n-z])/g;
(my $swapped = $text) =~ s/(\w+)-(\w+)/$2 . lc($1) . length($2)/ge;
print "regular expressions $count ", sha256_hex($swapped), "\n";

my @makers = map { my $n = $_; sub { my @a = ($n) x shift; sum(@a) } } 1 .. 2000;
print "closures ", sum(map { $makers[$_]->($_ % 100 + 1) } 0 .. $#makers), "\n";

my $tree = reduce { { left => $a, value => $b, list => [1 .. $b % 7] } } undef, 1 .. 1000;
my ($depth, $total) = (0, 0);
for (my $node = $tree; $node; $node = $node->{left}) { $depth++; $total += sum(0, @{$node->{list}}) }
print "tree $depth $total\n";

my $buffer = '';
$buffer .= pack 'NnCa*', $_, $_ & 0xffff, $_ & 0xff, 'x' x ($_ % 300) for 1 .. 50000;
print "buffer ", length $buffer, ' ', sha256_hex($buffer), "\n";

pipe my $in, my $out or die;
for my $child (1 .. 4) {
    next if fork;
    my %copy = %words;
    syswrite $out, sprintf "%d\n", sum(map { scalar @$_ } values %copy) * $child;
    exit 0;
}
close $out;
print "children ", join(' ', sort map { chomp; $_ } <$in>), "\n";
1 while wait != -1;

if ($Config{useithreads}) {
    require threads;
    my @threads = map { my $n = $_; threads->create(sub { sum(map { length } map { 'y' x ($_ % 50) } 1 .. 20000 * $n) }) } 1 .. 4;
    print "threads ", join(' ', map { $_->join } @threads), "\n";
}
