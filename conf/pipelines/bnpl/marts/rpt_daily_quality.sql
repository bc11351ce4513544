-- One row a day. Drift compares with days of the same type, up to 28 days back: a weekend is not a strange Friday.
WITH compared AS (
  SELECT
    *,
    count(*) OVER before AS days_before,
    avg(mean_amount) OVER before AS usual_amount,
    avg(mean_risk) OVER before AS usual_risk,
    avg(defaulted) OVER before AS usual_defaulted,
    avg(transactions) OVER before AS usual_transactions,
    avg(CASE WHEN day_type = 'weekday' THEN transactions END) OVER any_before AS usual_weekday
  FROM int_daily_metrics
  WINDOW
    before AS (PARTITION BY day_type ORDER BY unix_date(transaction_date) RANGE BETWEEN 28 PRECEDING AND 1 PRECEDING),
    any_before AS (ORDER BY unix_date(transaction_date) RANGE BETWEEN 28 PRECEDING AND 1 PRECEDING)
)
SELECT
  transaction_date, day_type, asked_volume, transactions, customers,
  CAST(transactions / asked_volume AS DECIMAL(9,6)) AS completeness,
  CAST(amount AS DECIMAL(20,2)) AS amount,
  CAST(mean_amount AS DECIMAL(18,2)) AS mean_amount,
  CAST(median_amount AS DECIMAL(18,2)) AS median_amount,
  CAST(deviation_amount AS DECIMAL(18,2)) AS deviation_amount,
  CAST(mean_risk AS DECIMAL(9,6)) AS mean_risk_score,
  CAST(high_risk AS DECIMAL(9,6)) AS high_risk_share,
  CAST(defaulted AS DECIMAL(9,6)) AS default_share,
  CAST(unknown_behaviour AS DECIMAL(9,6)) AS unknown_behaviour_share,
  days_before,
  CAST(mean_amount / usual_amount - 1 AS DECIMAL(12,6)) AS amount_drift,
  CAST(mean_risk / usual_risk - 1 AS DECIMAL(12,6)) AS risk_drift,
  CAST(defaulted / usual_defaulted - 1 AS DECIMAL(12,6)) AS default_drift,
  CAST(transactions / usual_transactions - 1 AS DECIMAL(12,6)) AS volume_drift,
  CAST(transactions / usual_weekday AS DECIMAL(12,6)) AS ratio_to_weekday
FROM compared
