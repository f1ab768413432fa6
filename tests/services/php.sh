#!/bin/bash
# php: arrays, strings, JSON, regular expressions and, from extensions opened with RTLD_DEEPBIND, objects that cross from module to module.
# On malloc itself, then with PHP's own allocator on top.
. "$(dirname "$0")/lib.sh"
need php
cd "$W"
cat >work.php <<'PHP'
<?php
mt_srand(7);
$names = [];
for ($i = 0; $i < 300000; $i++) {
	$key = 'k' . mt_rand(0, 5000);
	$names[$key][] = md5((string)$i);
	if (count($names[$key]) > 20)
		$names[$key] = array_slice($names[$key], 15);
}
ksort($names);
$json = json_encode($names);
echo strlen($json), ' ', md5($json), "\n";
echo preg_match_all('/[a-f]{3}[0-9]/', $json, $m), ' ', md5(implode(',', $m[0])), "\n";
echo md5(serialize(json_decode($json, true)) . var_export(array_sum(array_map('count', $names)), true)), "\n";
class Node { public $left; public $right; public $value; function __construct($v) { $this->value = $v; } }
function tree(int $depth): ?Node {
	if ($depth == 0) return null;
	$n = new Node($depth);
	$n->left = tree($depth - 1);
	$n->right = tree($depth - 1);
	return $n;
}
function depth(?Node $n): int { return $n ? 1 + max(depth($n->left), depth($n->right)) : 0; }
for ($i = 0; $i < 20; $i++) echo depth(tree(12 + $i % 4)), ' ';
echo "\n";
$s = '';
for ($i = 0; $i < 200000; $i++) { $s .= chr(33 + $i % 90); if ($i % 1000 == 0) $s = strrev($s); }
echo md5($s), ' ', crc32(str_repeat($s, 20)), "\n";
PHP
USE_ZEND_ALLOC=0 run php work.php
run php work.php
# A server, as in production: processes that live for many requests.
echo '<?php for ($i = 0; $i < 2000; $i++) $a[] = str_repeat(chr(65 + $i % 26), $i % 300); echo md5(json_encode($a));' >index.php
port=$(free_port)
USE_ZEND_ALLOC=0 start php -q -S "127.0.0.1:$port" -t "$W" 2>"$W/log"
server=$PID
await curl -s "http://127.0.0.1:$port/index.php" >/dev/null
for i in $(seq 300); do curl -s "http://127.0.0.1:$port/index.php?$i"; done | sort | uniq -c
[ -z "$LIB" ] || loaded "$server"
stop "$server" INT
counted php
