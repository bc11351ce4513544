WITH numbered AS (
  SELECT
    service, to_date(recorded_at) AS control_date, service_sequence,
    lead(service_sequence) OVER (PARTITION BY service, to_date(recorded_at) ORDER BY service_sequence) AS next_sequence
  FROM ledger_events
),
gaps AS (
  SELECT
    service, control_date, count(DISTINCT service_sequence) AS sequences, count(*) - count(DISTINCT service_sequence) AS repeated,
    min(service_sequence) AS lowest, max(service_sequence) AS highest,
    array_join(transform(slice(sort_array(collect_list(
      CASE WHEN next_sequence > service_sequence + 1 THEN struct(service_sequence + 1 AS low, next_sequence - 1 AS high) END
    )), 1, 5), g -> CASE WHEN g.low = g.high THEN CAST(g.low AS STRING) ELSE concat(g.low, '-', g.high) END), ', ') AS gaps
  FROM numbered
  GROUP BY service, control_date
),
sums AS (
  SELECT
    service, control_date, currency, count(DISTINCT event_id) AS events,
    coalesce(sum(CAST(entry.debit AS DECIMAL(18,3))), 0) AS debits
  FROM (
    SELECT
      event_id, service, to_date(recorded_at) AS control_date, currency,
      explode_outer(from_json(lines, 'ARRAY<STRUCT<debit: STRING>>')) AS entry
    FROM ledger_events
  )
  GROUP BY service, control_date, currency
)
SELECT
  s.service, s.control_date, s.currency, s.events, CAST(s.debits AS DECIMAL(28,3)) AS debits,
  g.sequences, g.repeated, g.lowest, g.highest, g.gaps
FROM sums s
JOIN gaps g ON g.service = s.service AND g.control_date = s.control_date
