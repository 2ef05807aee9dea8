-- One portable dialect for SQLite and PostgreSQL: text UUIDs, bigint
-- microseconds since 1970 (0: never), booleans. Keys of what belongs to a
-- session begin with session_id, so that sessions can be sharded.

-- +goose Up
create table setting (
    key   text primary key,
    value text not null
);

create table person_address (
    network   text not null,
    address   text not null,
    person_id text not null,
    how       text not null,
    at        bigint not null,
    primary key (network, address)
);

create table session (
    id          text primary key,
    subject     text not null,
    state       text not null,
    lang        text not null,
    created_at  bigint not null,
    message_id  text not null,
    acl_version bigint not null,
    head        bigint not null,
    changed_at  bigint not null
);
create index session_changed on session (changed_at);
create index session_message_id on session (message_id) where message_id <> '';

create table member (
    session_id   text not null references session (id),
    id           text not null,
    person_id    text not null,
    number       bigint not null,
    name         text not null,
    network      text not null,
    address      text not null,
    role         text not null,
    state        text not null,
    lang         text not null,
    read_seq     bigint not null,
    no_mail      boolean not null,
    grant_id     text not null,
    generation   bigint not null,
    revoked      boolean not null,
    expires_at   bigint not null,
    primary key (session_id, id),
    unique (session_id, number)
);

create table endpoint (
    session_id text not null references session (id),
    network    text not null,
    address    text not null,
    member_id  text not null,
    state      text not null,
    primary key (session_id, network, address)
);
create index endpoint_address on endpoint (network, address);

create table record (
    session_id  text not null references session (id),
    seq         bigint not null,
    id          text not null,
    kind        text not null,
    member_id   text not null,
    target_id   text not null,
    at          bigint not null,
    network     text not null,
    origin_id   text not null,
    lang        text not null,
    text        text not null,
    html        text not null,
    texts       text not null,
    subject     text not null,
    destination text not null,
    primary key (session_id, seq),
    unique (session_id, network, origin_id)
);

-- The current state of each message, changed in the transaction of an edit.
create table message (
    session_id text not null references session (id),
    id         text not null,
    seq        bigint not null,
    member_id  text not null,
    at         bigint not null,
    lang       text not null,
    text       text not null,
    html       text not null,
    texts      text not null,
    primary key (session_id, id)
);

create table received (
    session_id text not null references session (id),
    seq        bigint not null,
    raw        text not null,
    primary key (session_id, seq)
);

create table intake (
    network    text not null,
    origin_id  text not null,
    session_id text not null,
    primary key (network, origin_id)
);

create table portal (
    session_id text not null references session (id),
    network    text not null,
    remote     text not null,
    primary key (session_id, network),
    unique (network, remote)
);

create table occupant (
    session_id text not null references session (id),
    jid        text not null,
    member_id  text not null,
    nick       text not null,
    from_seq   bigint not null,
    primary key (session_id, jid)
);

create table token (
    hash       text primary key,
    session_id text not null,
    member_id  text not null,
    grant_id   text not null,
    grants     text not null,
    generation bigint not null,
    held_id    text not null
);

create table browser (
    hash       text primary key,
    session_id text not null,
    member_id  text not null,
    grant_id   text not null,
    generation bigint not null,
    at         bigint not null
);

create table account (
    address text primary key,
    hash    text not null,
    at      bigint not null
);

create table api_token (
    hash    text primary key,
    network text not null,
    address text not null,
    admin   boolean not null,
    at      bigint not null
);

create table held (
    session_id text not null references session (id),
    id         text not null,
    member_id  text not null,
    sender     text not null,
    at         bigint not null,
    lang       text not null,
    text       text not null,
    html       text not null,
    network    text not null,
    origin_id  text not null,
    state      text not null,
    raw        text not null,
    primary key (session_id, id),
    unique (session_id, network, origin_id)
);

create table confirmed (
    session_id text not null references session (id),
    grant_id   text not null,
    sender     text not null,
    primary key (session_id, grant_id, sender)
);

-- One reader's position in one session's log.
create table lane (
    session_id  text not null references session (id),
    destination text not null,
    network     text not null,
    acked       bigint not null,
    seen        bigint not null,
    owner       text not null,
    fence       bigint not null,
    next_try    bigint not null,
    attempts    bigint not null,
    primary key (session_id, destination)
);
create index lane_next_try on lane (next_try) where next_try > 0;
create index lane_owner on lane (owner);
create index lane_network on lane (network);

create table mail (
    session_id text not null references session (id),
    id         text not null,
    member_id  text not null,
    kind       text not null,
    from_seq   bigint not null,
    to_seq     bigint not null,
    held_id    text not null,
    state      text not null,
    created_at bigint not null,
    next_try   bigint not null,
    attempts   bigint not null,
    owner      text not null,
    fence      bigint not null,
    primary key (session_id, id),
    unique (session_id, member_id, kind, from_seq, held_id)
);
create index mail_due on mail (next_try) where state = 'queued';

-- Who owns what, for as long as it is renewed: nodes and the XMPP component.
create table lease (
    name       text primary key,
    owner      text not null,
    fence      bigint not null,
    expires_at bigint not null
);

-- +goose Down
drop table lease;
drop table mail;
drop table lane;
drop table confirmed;
drop table held;
drop table api_token;
drop table account;
drop table browser;
drop table token;
drop table occupant;
drop table portal;
drop table intake;
drop table received;
drop table message;
drop table record;
drop table endpoint;
drop table member;
drop table session;
drop table person_address;
drop table setting;
