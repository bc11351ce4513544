-- What a service says it wrote (the highest revision of its control) against what arrived. Events of the
-- newest day may still be on their way: their gap is a warning. A gap of an earlier day is overdue, and
-- sums that differ although nothing is missing cannot be explained: both block.
WITH controls AS (
  SELECT
    service, control_date, currency,
    max_by(events, revision) AS events, max_by(debits, revision) AS debits, max(revision) AS revision,
    max_by(sequence_first, revision) AS sequence_first, max_by(sequence_last, revision) AS sequence_last
  FROM service_controls
  GROUP BY service, control_date, currency
),
arrived AS (
  SELECT service, control_date, max(sequences) AS sequences, max(repeated) AS repeated, min(lowest) AS lowest, max(highest) AS highest, max(gaps) AS gaps
  FROM service_days
  GROUP BY service, control_date
),
paired AS (
  SELECT
    coalesce(c.service, d.service) AS service,
    coalesce(c.control_date, d.control_date) AS control_date,
    coalesce(c.currency, d.currency) AS currency,
    c.revision, c.events AS events_expected, coalesce(d.events, 0) AS events_found,
    c.debits AS debits_expected, CAST(coalesce(d.debits, 0) AS DECIMAL(28,3)) AS debits_found,
    c.sequence_first, c.sequence_last
  FROM controls c
  FULL JOIN service_days d ON d.service = c.service AND d.control_date = c.control_date AND d.currency = c.currency
),
expected AS (
  SELECT service, control_date, min(sequence_first) AS lowest, max(sequence_last) AS highest
  FROM controls
  GROUP BY service, control_date
),
sequenced AS (
  SELECT
    e.service, e.control_date, coalesce(a.repeated, 0) AS repeated,
    CASE
      WHEN a.service IS NULL THEN e.highest - e.lowest + 1
      ELSE a.highest - a.lowest + 1 - a.sequences + greatest(a.lowest - e.lowest, 0) + greatest(e.highest - a.highest, 0)
    END AS missing,
    concat_ws(', ',
      CASE WHEN a.lowest > e.lowest THEN concat(e.lowest, '-', a.lowest - 1) END,
      nullif(a.gaps, ''),
      CASE WHEN a.highest < e.highest THEN concat(a.highest + 1, '-', e.highest) END
    ) AS gaps
  FROM expected e
  LEFT JOIN arrived a ON a.service = e.service AND a.control_date = e.control_date
),
measured AS (
  SELECT
    p.*, coalesce(s.missing, 0) AS missing, coalesce(s.repeated, 0) AS repeated, nullif(s.gaps, '') AS gaps,
    p.control_date < max(p.control_date) OVER (PARTITION BY p.service) AS is_overdue
  FROM paired p
  LEFT JOIN sequenced s ON s.service = p.service AND s.control_date = p.control_date
)
SELECT
  service,
  control_date,
  currency,
  revision,
  events_expected,
  events_found,
  debits_expected,
  debits_found,
  CAST(missing AS BIGINT) AS missing_events,
  CAST(CASE WHEN is_overdue THEN missing ELSE 0 END AS BIGINT) AS overdue_events,
  CAST(repeated AS BIGINT) AS repeated_sequences,
  gaps,
  CAST(CASE WHEN missing > 0 THEN 0 ELSE debits_found - coalesce(debits_expected, 0) END AS DECIMAL(28,3)) AS debits_difference,
  CAST(CASE WHEN missing > 0 THEN 0 ELSE events_found - coalesce(events_expected, 0) END AS BIGINT) AS events_difference,
  CASE
    WHEN revision IS NULL THEN 'no control'
    WHEN missing > 0 AND is_overdue THEN 'overdue'
    WHEN missing > 0 THEN 'waiting'
    WHEN debits_found <> debits_expected OR events_found <> events_expected OR repeated > 0 THEN 'differs'
    ELSE 'agrees'
  END AS status
FROM measured
