SELECT
  transaction_key, transaction_date, transaction_id, day_type, occurred_at, hour_of_day,
  customer_id, product_id, product_category, product_subcategory, product_brand, device_type,
  currency, amount, first_payment_amount, installment_count, payment_frequency, payment_provider,
  payment_credit_limit, credit_utilization, status, risk_score, risk_level, risk_scenario,
  will_default, days_to_first_missed_payment, customer_state, batch_id
FROM int_enriched_transactions
