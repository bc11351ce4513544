"""PostgreSQL's log: a replication slot read directly, and wal2json files; both end in the same row changes."""
