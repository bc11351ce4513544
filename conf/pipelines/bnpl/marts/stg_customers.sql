SELECT
  day AS transaction_date,
  customer_id,
  count(*) AS transactions,
  -- As of the customer's last transaction of the day.
  max_by(customer_age_bracket, struct(occurred_at, transaction_id)) AS customer_age_bracket,
  max_by(customer_tenure_days, struct(occurred_at, transaction_id)) AS customer_tenure_days,
  max_by(customer_income_bracket, struct(occurred_at, transaction_id)) AS customer_income_bracket,
  max_by(customer_credit_score_range, struct(occurred_at, transaction_id)) AS customer_credit_score_range,
  max_by(customer_verification_level, struct(occurred_at, transaction_id)) AS customer_verification_level,
  max_by(customer_address_stability, struct(occurred_at, transaction_id)) AS customer_address_stability,
  max_by(customer_state, struct(occurred_at, transaction_id)) AS customer_state
FROM raw_transactions
GROUP BY day, customer_id
