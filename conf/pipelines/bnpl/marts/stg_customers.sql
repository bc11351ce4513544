-- Attributes are those of the customer's last transaction of the day.
SELECT
  transaction_date,
  customer_id,
  transactions,
  last_seen.customer_age_bracket AS customer_age_bracket,
  last_seen.customer_tenure_days AS customer_tenure_days,
  last_seen.customer_income_bracket AS customer_income_bracket,
  last_seen.customer_credit_score_range AS customer_credit_score_range,
  last_seen.customer_verification_level AS customer_verification_level,
  last_seen.customer_address_stability AS customer_address_stability,
  last_seen.customer_state AS customer_state
FROM (
  SELECT
    day AS transaction_date,
    customer_id,
    count(*) AS transactions,
    max_by(struct(customer_age_bracket, customer_tenure_days, customer_income_bracket, customer_credit_score_range, customer_verification_level, customer_address_stability, customer_state), struct(occurred_at, transaction_id)) AS last_seen
  FROM raw_transactions
  GROUP BY day, customer_id
)
