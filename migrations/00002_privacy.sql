-- What each session allows and keeps, who sees whom, and what protects people:
-- blocks, browsers and codes, limits, and the audit log. Only additions, so that
-- the binary before still works on it.

-- +goose Up
alter table session add column off_record boolean not null default false;
alter table session add column keeper text not null default '';
alter table session add column matrix_keeps boolean not null default false;
alter table session add column members_invite boolean not null default false;
alter table session add column hide_addresses boolean not null default false;
alter table session add column newcomers_from_now boolean not null default false;
alter table session add column keep_for bigint not null default 0;
alter table session add column expires_at bigint not null default 0;
alter table session add column on_hold boolean not null default false;
create index session_keeper on session (keeper) where keeper <> '';

alter table member add column inviter_id text not null default '';
alter table member add column round bigint not null default 0;
alter table member add column from_seq bigint not null default 0;
alter table member add column blind boolean not null default false;
alter table member add column withheld boolean not null default false;
create index member_person on member (person_id);

alter table record add column ref bigint not null default 0;
alter table record add column erased boolean not null default false;
create index record_age on record (at) where kind = 'message' and not erased;

-- A person has a row once they have chosen something.
create table person (
    id       text primary key,
    presence text not null
);
create index person_address_person on person_address (person_id);

create table chosen (
    person_id text not null,
    network   text not null,
    address   text not null,
    primary key (person_id, network, address)
);

create table block (
    person_id text not null,
    network   text not null,
    address   text not null,
    at        bigint not null,
    primary key (person_id, network, address)
);

alter table browser add column id text not null default '';
alter table browser add column label text not null default '';
create index browser_member on browser (session_id, member_id);

-- A code that was mailed, by the id of its mail; the code itself derives from it.
create table code (
    session_id text not null references session (id),
    id         text not null,
    member_id  text not null,
    purpose    text not null,
    expires_at bigint not null,
    tries      bigint not null,
    primary key (session_id, id)
);
create index code_member on code (session_id, member_id, purpose);

-- A browser that is signed in as a person, by an address that it proved.
create table sign_in (
    hash       text primary key,
    id         text not null,
    network    text not null,
    address    text not null,
    label      text not null,
    at         bigint not null,
    expires_at bigint not null
);
create index sign_in_address on sign_in (network, address);

-- What was used of a limit in the window that began at starts_at.
create table quota (
    name      text not null,
    starts_at bigint not null,
    used      bigint not null,
    primary key (name, starts_at)
);
create index quota_age on quota (starts_at);

create table audit (
    id         text primary key,
    at         bigint not null,
    who        text not null,
    act        text not null,
    session_id text not null,
    about      text not null
);

-- Where the nodes reach each other.
create table node (
    name text primary key,
    url  text not null
);

-- +goose Down
drop table node;
drop table audit;
drop table quota;
drop table sign_in;
drop table code;
drop table block;
drop table chosen;
drop table person;
drop index person_address_person;
drop index browser_member;
alter table browser drop column label;
alter table browser drop column id;
drop index record_age;
alter table record drop column erased;
alter table record drop column ref;
drop index member_person;
alter table member drop column withheld;
alter table member drop column blind;
alter table member drop column from_seq;
alter table member drop column round;
alter table member drop column inviter_id;
drop index session_keeper;
alter table session drop column on_hold;
alter table session drop column expires_at;
alter table session drop column keep_for;
alter table session drop column newcomers_from_now;
alter table session drop column hide_addresses;
alter table session drop column members_invite;
alter table session drop column matrix_keeps;
alter table session drop column keeper;
alter table session drop column off_record;
