SELECT
  customer_id,
  count(*) AS transactions,
  CAST(avg(risk_score) AS DECIMAL(9,6)) AS mean_risk_score,
  max(risk_score) AS highest_risk_score,
  CAST(count_if(risk_level = 'high') / count(*) AS DECIMAL(9,6)) AS high_risk_share,
  CAST(count_if(purchase_context IN ('rushed', 'impulse')) / count(*) AS DECIMAL(9,6)) AS hasty_share,
  CAST(count_if(is_night) / count(*) AS DECIMAL(9,6)) AS night_share,
  CAST(count_if(NOT coalesce(device_is_trusted, false)) / count(*) AS DECIMAL(9,6)) AS untrusted_device_share,
  CAST(avg(credit_utilization) AS DECIMAL(12,6)) AS mean_credit_utilization,
  max(credit_utilization) AS highest_credit_utilization,
  size(collect_set(device_id)) AS devices,
  size(collect_set(payment_method_id)) AS payment_methods,
  count_if(will_default) AS defaults,
  CAST(count_if(will_default) / count(*) AS DECIMAL(9,6)) AS default_rate
FROM int_enriched_transactions
GROUP BY customer_id
