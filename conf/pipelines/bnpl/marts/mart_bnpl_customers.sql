SELECT
  customer_id, first_purchase_on, last_purchase_on, transactions, currency, total_amount, largest_amount,
  CAST(total_amount / transactions AS DECIMAL(18,2)) AS mean_amount,
  product_categories, devices, payment_providers, defaults,
  CAST(defaults / transactions AS DECIMAL(9,6)) AS default_rate, mean_risk_score,
  customer_age_bracket, customer_tenure_days, customer_income_bracket, customer_credit_score_range,
  customer_verification_level, customer_address_stability, customer_state
FROM int_customer_profiles
