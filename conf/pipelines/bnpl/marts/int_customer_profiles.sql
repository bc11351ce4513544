WITH bought AS (
  SELECT
    customer_id,
    currency,
    min(transaction_date) AS first_purchase_on,
    max(transaction_date) AS last_purchase_on,
    count(*) AS transactions,
    sum(amount) AS total_amount,
    max(amount) AS largest_amount,
    size(collect_set(product_category)) AS product_categories,
    size(collect_set(device_id)) AS devices,
    size(collect_set(payment_provider)) AS payment_providers,
    count_if(will_default) AS defaults,
    CAST(avg(risk_score) AS DECIMAL(9,6)) AS mean_risk_score
  FROM int_enriched_transactions
  GROUP BY customer_id, currency
), seen AS (
  SELECT customer_id, max_by(struct(customer_age_bracket, customer_tenure_days, customer_income_bracket, customer_credit_score_range, customer_verification_level, customer_address_stability, customer_state), transaction_date) AS last_seen
  FROM stg_customers
  GROUP BY customer_id
)
SELECT
  b.*,
  s.last_seen.customer_age_bracket AS customer_age_bracket,
  s.last_seen.customer_tenure_days AS customer_tenure_days,
  s.last_seen.customer_income_bracket AS customer_income_bracket,
  s.last_seen.customer_credit_score_range AS customer_credit_score_range,
  s.last_seen.customer_verification_level AS customer_verification_level,
  s.last_seen.customer_address_stability AS customer_address_stability,
  s.last_seen.customer_state AS customer_state
FROM bought b JOIN seen s ON s.customer_id = b.customer_id
