-- What was known at the moment of the purchase. A purchase counts from the next day on (streams come by day), a default
-- from the day on which its payment was missed; nothing of the transaction's own outcome stands here.
WITH days AS (
  SELECT customer_id, transaction_date, count(*) AS transactions, sum(amount) AS amount, max(amount) AS largest,
         sum(risk_score) AS risk
  FROM int_enriched_transactions
  GROUP BY customer_id, transaction_date
), defaulted AS (
  SELECT customer_id, default_known_on AS transaction_date, count(*) AS defaults
  FROM int_enriched_transactions
  WHERE will_default
  GROUP BY customer_id, default_known_on
), known AS (
  SELECT
    coalesce(d.customer_id, m.customer_id) AS customer_id,
    coalesce(d.transaction_date, m.transaction_date) AS transaction_date,
    d.transactions, d.amount, d.largest, d.risk, m.defaults
  FROM days d FULL JOIN defaulted m ON m.customer_id = d.customer_id AND m.transaction_date = d.transaction_date
), windowed AS (
  SELECT
    customer_id, transaction_date,
    coalesce(sum(transactions) OVER month, 0) AS transactions_30d,
    coalesce(sum(amount) OVER month, 0) AS amount_30d,
    coalesce(max(largest) OVER month, 0) AS largest_amount_30d,
    sum(risk) OVER month / sum(transactions) OVER month AS mean_risk_score_30d,
    coalesce(sum(transactions) OVER week, 0) AS transactions_7d,
    coalesce(sum(defaults) OVER month, 0) AS missed_payments_30d,
    max(CASE WHEN transactions IS NOT NULL THEN transaction_date END) OVER month AS last_purchase_on
  FROM known
  WINDOW
    month AS (PARTITION BY customer_id ORDER BY unix_date(transaction_date) RANGE BETWEEN 30 PRECEDING AND 1 PRECEDING),
    week AS (PARTITION BY customer_id ORDER BY unix_date(transaction_date) RANGE BETWEEN 7 PRECEDING AND 1 PRECEDING)
)
SELECT
  t.transaction_key, t.transaction_date, t.customer_id, t.occurred_at,
  t.day_type, t.hour_of_day, t.is_night,
  t.currency, t.amount, t.installment_count, t.payment_credit_limit, t.credit_utilization,
  CAST(t.first_payment_amount / t.amount AS DECIMAL(9,6)) AS first_payment_share,
  t.purchase_context, t.checkout_speed, t.time_on_site_seconds, t.price_comparison_time, t.cart_abandonment_count,
  t.customer_age_bracket, t.customer_tenure_days, t.customer_income_bracket, t.customer_credit_score_range,
  t.customer_verification_level, t.customer_address_stability, t.customer_state,
  t.product_category, t.product_risk_category, t.device_type, t.device_is_trusted, t.payment_provider,
  w.transactions_7d, w.transactions_30d,
  CAST(w.amount_30d AS DECIMAL(18,2)) AS amount_30d,
  CAST(w.largest_amount_30d AS DECIMAL(18,2)) AS largest_amount_30d,
  CAST(w.mean_risk_score_30d AS DECIMAL(9,6)) AS mean_risk_score_30d,
  w.missed_payments_30d,
  datediff(t.transaction_date, w.last_purchase_on) AS days_since_last_purchase
FROM int_enriched_transactions t
JOIN windowed w ON w.customer_id = t.customer_id AND w.transaction_date = t.transaction_date
