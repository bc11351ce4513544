SELECT
  transaction_date,
  max(day_type) AS day_type,
  max(asked_volume) AS asked_volume,
  count(*) AS transactions,
  count(DISTINCT customer_id) AS customers,
  sum(amount) AS amount,
  avg(amount) AS mean_amount,
  percentile(amount, 0.5) AS median_amount,
  stddev_pop(amount) AS deviation_amount,
  avg(risk_score) AS mean_risk,
  count_if(risk_level = 'high') / count(*) AS high_risk,
  count_if(will_default) / count(*) AS defaulted,
  count_if(checkout_speed IS NULL OR time_on_site_seconds IS NULL) / count(*) AS unknown_behaviour
FROM int_enriched_transactions
GROUP BY transaction_date
