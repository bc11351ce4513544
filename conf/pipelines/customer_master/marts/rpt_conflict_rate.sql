-- How many losing values stood at the end of each day on which anything changed, per source record.
WITH steps AS (
  SELECT to_date(valid_from) AS day, CAST(1 AS BIGINT) AS customers, CAST(records AS BIGINT) AS records, CAST(conflicts AS BIGINT) AS conflicts
  FROM customer_versions
  UNION ALL
  SELECT to_date(valid_to), CAST(-1 AS BIGINT), CAST(-records AS BIGINT), CAST(-conflicts AS BIGINT)
  FROM customer_versions
  WHERE valid_to IS NOT NULL
),
days AS (
  SELECT day, sum(customers) AS customers, sum(records) AS records, sum(conflicts) AS conflicts
  FROM steps
  GROUP BY day
),
standing AS (
  SELECT
    day,
    sum(customers) OVER (ORDER BY day) AS customers,
    sum(records) OVER (ORDER BY day) AS records,
    sum(conflicts) OVER (ORDER BY day) AS conflicts
  FROM days
),
rated AS (
  SELECT *, CASE WHEN records > 0 THEN CAST(CAST(conflicts AS DECIMAL(18,0)) / records AS DECIMAL(18,12)) ELSE 0 END AS rate FROM standing
),
compared AS (
  SELECT
    *,
    avg(rate) OVER (ORDER BY day ROWS BETWEEN 14 PRECEDING AND 1 PRECEDING) AS usual,
    row_number() OVER (ORDER BY day DESC) = 1 AS is_latest
  FROM rated
)
SELECT
  day,
  is_latest,
  customers,
  records,
  conflicts,
  CAST(rate AS DECIMAL(12,6)) AS conflict_rate,
  CAST(usual AS DECIMAL(12,6)) AS usual_rate,
  CAST(CASE WHEN usual > 0 THEN rate / usual END AS DECIMAL(12,3)) AS times_usual
FROM compared
