SELECT 'dms' AS feed, id, owner, city FROM dms
UNION ALL
SELECT 'debezium' AS feed, id, owner, city FROM debezium
UNION ALL
SELECT 'wal2json' AS feed, id, owner, city FROM wal2json
UNION ALL
SELECT 'postgres_slot' AS feed, id, owner, city FROM postgres_slot
UNION ALL
SELECT 'query' AS feed, id, owner, city FROM query
UNION ALL
SELECT 'stripe' AS feed, id, owner, city FROM stripe
UNION ALL
SELECT 'salesforce_cdc' AS feed, id, owner, city FROM salesforce_cdc
UNION ALL
SELECT 'event_export' AS feed, id, owner, city FROM event_export
UNION ALL
SELECT 'csv' AS feed, id, owner, city FROM csv
UNION ALL
SELECT 'http_stream' AS feed, id, owner, city FROM http_stream
UNION ALL
SELECT 'dump' AS feed, id, owner, city FROM dump
