SELECT
  CAST(date_trunc('MONTH', transaction_date) AS DATE) AS month,
  customer_state,
  customer_age_bracket,
  count(DISTINCT customer_id) AS customers,
  count(*) AS transactions,
  sum(amount) AS amount,
  CAST(sum(amount) / count(*) AS DECIMAL(18,2)) AS mean_amount,
  CAST(count_if(will_default) / count(*) AS DECIMAL(9,6)) AS default_rate,
  CAST(avg(risk_score) AS DECIMAL(9,6)) AS mean_risk_score
FROM int_enriched_transactions
GROUP BY 1, 2, 3
