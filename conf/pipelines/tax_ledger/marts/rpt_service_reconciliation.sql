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
measured AS (
  SELECT
    p.*,
    CASE
      WHEN a.service IS NULL THEN max(p.sequence_last) OVER day - min(p.sequence_first) OVER day + 1
      ELSE a.highest - a.lowest + 1 - a.sequences
        + greatest(a.lowest - min(p.sequence_first) OVER day, 0) + greatest(max(p.sequence_last) OVER day - a.highest, 0)
    END AS missing,
    coalesce(a.repeated, 0) AS repeated,
    nullif(concat_ws(', ',
      CASE WHEN a.lowest > min(p.sequence_first) OVER day THEN concat(min(p.sequence_first) OVER day, '-', a.lowest - 1) END,
      nullif(a.gaps, ''),
      CASE WHEN a.highest < max(p.sequence_last) OVER day THEN concat(a.highest + 1, '-', max(p.sequence_last) OVER day) END
    ), '') AS gaps,
    p.control_date < max(p.control_date) OVER (PARTITION BY p.service) AS is_overdue
  FROM paired p
  LEFT JOIN arrived a ON a.service = p.service AND a.control_date = p.control_date
  WINDOW day AS (PARTITION BY p.service, p.control_date)
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
  CAST(coalesce(missing, 0) AS BIGINT) AS missing_events,
  CAST(CASE WHEN is_overdue THEN coalesce(missing, 0) ELSE 0 END AS BIGINT) AS overdue_events,
  CAST(repeated AS BIGINT) AS repeated_sequences,
  gaps,
  CAST(CASE WHEN coalesce(missing, 0) > 0 THEN 0 ELSE debits_found - coalesce(debits_expected, 0) END AS DECIMAL(28,3)) AS debits_difference,
  CAST(CASE WHEN coalesce(missing, 0) > 0 THEN 0 ELSE events_found - coalesce(events_expected, 0) END AS BIGINT) AS events_difference,
  CASE
    WHEN revision IS NULL THEN 'no control'
    WHEN missing > 0 AND is_overdue THEN 'overdue'
    WHEN missing > 0 THEN 'waiting'
    WHEN debits_found <> debits_expected OR events_found <> events_expected OR repeated > 0 THEN 'differs'
    ELSE 'agrees'
  END AS status
FROM measured
