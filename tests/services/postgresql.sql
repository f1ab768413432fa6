-- Hash joins, sorts, aggregates, JSON, regular expressions, recursion, PL/pgSQL: each answer is one line.
create table item as select i as id, i % 997 as kind, md5(i::text) as name, (i * 7919) % 100003 as price
    from generate_series(1, 100000) i;
create index on item (name);
create index on item using gin ((array[kind, price]));
analyze item;
select count(*), sum(a.price), md5(string_agg(a.name, ',' order by a.name, b.id))
    from item a join item b on a.kind = b.kind and a.id % 50 = b.id % 50 where a.id < 20000;
select md5(string_agg(j::text, '' order by kind)) from
    (select kind, jsonb_build_object('kind', kind, 'names', jsonb_agg(name order by id)) as j from item group by kind) s;
select count(*) from item where name ~ '^(a|b)[0-9]{2,4}[c-f]';
with recursive fib(n, a, b) as (values (1, 0::numeric, 1::numeric) union all select n + 1, b, a + b from fib where n < 2000)
    select md5(string_agg(a::text, ',' order by n)) from fib;
select md5(string_agg(r::text, ',' order by id)) from
    (select id, rank() over (partition by kind order by price desc) as r from item) s;
do $$
declare words text[] := '{}';
begin
    for i in 1..20000 loop words := array_append(words, repeat(chr(97 + i % 26), i % 40)); end loop;
    create table word as select u as w from unnest(words) u;
end $$;
select count(*), sum(length(w)), md5(string_agg(w, ' ' order by w)) from word;
update item set price = price + 1, name = name || name where id % 3 = 0;
vacuum full item;
select md5(string_agg(name || price, ',' order by id)) from item;
