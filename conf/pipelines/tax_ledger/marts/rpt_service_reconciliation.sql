-- What a service says it wrote (the highest revision of its control) against what arrived. Events of the
-- newest day may still be on their way: their gap is a warning. A gap of an earlier day is overdue, and
-- sums that differ although nothing is missing cannot be explained: both block.
WITH sides AS (
  SELECT
    service, control_date, currency,
    struct(revision, events, debits, sequence_first, sequence_last) AS said,
    CAST(NULL AS BIGINT) AS events, CAST(NULL AS DECIMAL(28,3)) AS debits,
    CAST(NULL AS BIGINT) AS sequences, CAST(NULL AS BIGINT) AS repeated,
    CAST(NULL AS BIGINT) AS lowest, CAST(NULL AS BIGINT) AS highest, CAST(NULL AS STRING) AS gaps
  FROM service_controls
  UNION ALL
  SELECT service, control_date, currency, NULL, events, debits, sequences, repeated, lowest, highest, gaps
  FROM service_days
),
paired AS (
  SELECT
    service, control_date, currency, max(said) AS said, coalesce(max(events), 0) AS events, coalesce(max(debits), 0) AS debits,
    max(sequences) AS sequences, max(repeated) AS repeated, max(lowest) AS lowest, max(highest) AS highest, max(gaps) AS gaps
  FROM sides
  GROUP BY service, control_date, currency
),
by_service AS ( -- a sequence runs through a service's day, whatever the currency
  SELECT
    *,
    min(said.sequence_first) OVER (PARTITION BY service, control_date) AS expected_low,
    max(said.sequence_last) OVER (PARTITION BY service, control_date) AS expected_high,
    max(sequences) OVER (PARTITION BY service, control_date) AS found,
    max(lowest) OVER (PARTITION BY service, control_date) AS low,
    max(highest) OVER (PARTITION BY service, control_date) AS high,
    coalesce(max(repeated) OVER (PARTITION BY service, control_date), 0) AS twice,
    max(gaps) OVER (PARTITION BY service, control_date) AS inner_gaps
  FROM paired
),
measured AS (
  SELECT
    *,
    coalesce(CASE
      WHEN found IS NULL THEN expected_high - expected_low + 1
      ELSE high - low + 1 - found + greatest(low - expected_low, 0) + greatest(expected_high - high, 0)
    END, 0) AS missing,
    nullif(concat_ws(', ',
      CASE
        WHEN found IS NULL THEN concat_ws('-', expected_low, nullif(expected_high, expected_low))
        WHEN low > expected_low THEN concat_ws('-', expected_low, nullif(low - 1, expected_low))
      END,
      nullif(inner_gaps, ''),
      CASE WHEN high < expected_high THEN concat_ws('-', high + 1, nullif(expected_high, high + 1)) END
    ), '') AS all_gaps,
    control_date < max(control_date) OVER (PARTITION BY service) AS is_overdue
  FROM by_service
)
SELECT
  service,
  control_date,
  currency,
  said.revision AS revision,
  said.events AS events_expected,
  CAST(events AS BIGINT) AS events_found,
  said.debits AS debits_expected,
  CAST(debits AS DECIMAL(28,3)) AS debits_found,
  CAST(missing AS BIGINT) AS missing_events,
  CAST(CASE WHEN is_overdue THEN missing ELSE 0 END AS BIGINT) AS overdue_events,
  CAST(twice AS BIGINT) AS repeated_sequences,
  all_gaps AS gaps,
  CAST(CASE WHEN missing > 0 THEN 0 ELSE debits - coalesce(said.debits, 0) END AS DECIMAL(28,3)) AS debits_difference,
  CAST(CASE WHEN missing > 0 THEN 0 ELSE events - coalesce(said.events, 0) END AS BIGINT) AS events_difference,
  CASE
    WHEN said IS NULL THEN 'no control'
    WHEN missing > 0 AND is_overdue THEN 'overdue'
    WHEN missing > 0 THEN 'waiting'
    WHEN debits <> said.debits OR events <> said.events OR twice > 0 THEN 'differs'
    ELSE 'agrees'
  END AS status
FROM measured
