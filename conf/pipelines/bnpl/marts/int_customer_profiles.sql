WITH bought AS (
  SELECT
    customer_id,
    currency,
    min(transaction_date) AS first_purchase_on,
    max(transaction_date) AS last_purchase_on,
    count(*) AS transactions,
    sum(amount) AS total_amount,
    max(amount) AS largest_amount,
    count(DISTINCT product_category) AS product_categories,
    count(DISTINCT device_id) AS devices,
    count(DISTINCT payment_provider) AS payment_providers,
    count_if(will_default) AS defaults,
    CAST(avg(risk_score) AS DECIMAL(9,6)) AS mean_risk_score
  FROM int_enriched_transactions
  GROUP BY customer_id, currency
), seen AS (
  SELECT
    customer_id,
    max_by(customer_age_bracket, transaction_date) AS customer_age_bracket,
    max_by(customer_tenure_days, transaction_date) AS customer_tenure_days,
    max_by(customer_income_bracket, transaction_date) AS customer_income_bracket,
    max_by(customer_credit_score_range, transaction_date) AS customer_credit_score_range,
    max_by(customer_verification_level, transaction_date) AS customer_verification_level,
    max_by(customer_address_stability, transaction_date) AS customer_address_stability,
    max_by(customer_state, transaction_date) AS customer_state
  FROM stg_customers
  GROUP BY customer_id
)
SELECT
  b.*,
  s.customer_age_bracket,
  s.customer_tenure_days,
  s.customer_income_bracket,
  s.customer_credit_score_range,
  s.customer_verification_level,
  s.customer_address_stability,
  s.customer_state
FROM bought b JOIN seen s ON s.customer_id = b.customer_id
