create table author (id integer primary key, name text unique);
create table book (id integer primary key, author references author, title text, price real, isbn blob);
with recursive n(i) as (values (1) union all select i + 1 from n where i < 5000)
    insert into author select i, 'author ' || (i * 7919 % 5003) from n;
begin;
with recursive n(i) as (values (1) union all select i + 1 from n where i < 200000)
    insert into book select i, 1 + i * 31 % 5000, 'book ' || hex(i * 2654435761 % 4294967296), i % 1000 / 8.0,
        zeroblob(i % 50) from n;
commit;
create index book_author on book (author, price);
create index book_title on book (title);
select count(*), sum(price), max(title) from book join author on author.id = book.author where name like '%7%';
select name, count(*) c, round(avg(price), 4) from author join book on book.author = author.id
    group by name order by c desc, name limit 5;
select sum(r) from (select rank() over (partition by author order by price desc, id) r from book);
create virtual table words using fts5(body);
insert into words select title || ' ' || name from book join author on author.id = book.author where book.id % 4 = 0;
select count(*) from words where words match 'author AND 77*';
insert into words(words) values ('optimize');
select sum(length(j)), sum(json_array_length(j, '$.prices')) from
    (select json_object('author', author, 'prices', json_group_array(price)) j from book group by author);
select group_concat(substr(title, 6, 2), '') from (select title from book order by title desc limit 40);
with recursive mandel(x, y, cx, cy, i) as (
    select 0.0, 0.0, (a.value - 40) / 20.0, (b.value - 20) / 15.0, 0 from generate_series(0, 60) a, generate_series(0, 40) b
    union all select x * x - y * y + cx, 2.0 * x * y + cy, cx, cy, i + 1 from mandel where x * x + y * y < 4.0 and i < 28)
    select count(*), sum(i) from mandel;
delete from book where id % 3 = 0;
update book set title = title || title, isbn = zeroblob(3) where id % 5 = 0;
vacuum;
pragma integrity_check;
select count(*), sum(length(title)), sum(length(isbn)) from book;
