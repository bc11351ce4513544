-- One row per line of an event. What is recorded after its period was closed is late: it is posted
-- on the day it was recorded, which is open, with the link `late_for_period`; or, where the close
-- says `reopen`, in its own period all the same. Lateness is a matter of the event's own times, so
-- that every replay posts alike.
WITH closes AS ( -- the newest decision about a period holds for what is recorded after it
  SELECT period, policy, close_id, closed_at,
    lead(closed_at) OVER (PARTITION BY period ORDER BY closed_at, close_id) AS until
  FROM period_closes
),
placed AS (
  SELECT e.*, date_format(e.effective_at, 'yyyy-MM') AS effective_period, c.policy, c.close_id
  FROM ledger_events e
  LEFT JOIN closes c
    ON c.period = date_format(e.effective_at, 'yyyy-MM')
    AND e.recorded_at > c.closed_at AND (c.until IS NULL OR e.recorded_at <= c.until)
),
entries AS (
  SELECT
    *,
    posexplode_outer(from_json(lines, 'ARRAY<STRUCT<account: STRING, debit: STRING, credit: STRING>>'))
      AS (line, entry)
  FROM placed
)
SELECT
  event_id,
  CAST(coalesce(line, -1) + 1 AS INT) AS line,
  CASE WHEN policy = 'post_to_open' THEN to_date(recorded_at) ELSE to_date(effective_at) END AS posting_date,
  CASE WHEN policy = 'post_to_open' THEN date_format(recorded_at, 'yyyy-MM') ELSE effective_period END AS posting_period,
  CASE WHEN policy IS NOT NULL THEN effective_period END AS late_for_period,
  policy AS late_policy,
  close_id,
  entry.account AS account,
  CAST(coalesce(CAST(entry.debit AS DECIMAL(18,3)), 0) AS DECIMAL(18,3)) AS debit,
  CAST(coalesce(CAST(entry.credit AS DECIMAL(18,3)), 0) AS DECIMAL(18,3)) AS credit,
  currency,
  event_type,
  coalesce(reverses, event_id) AS chain_id,
  invoice_id,
  transaction_id,
  jurisdiction,
  effective_at,
  recorded_at,
  _batch_id AS batch_id,
  _extracted_at AS known_at
FROM entries
