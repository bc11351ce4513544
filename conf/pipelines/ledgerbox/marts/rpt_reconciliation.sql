SELECT
  settlement_date,
  currency,
  count(*) AS merchants,
  CAST(sum(captured_amount) AS DECIMAL(20,3)) AS captured_amount,
  CAST(sum(refunded_amount) AS DECIMAL(20,3)) AS refunded_amount,
  CAST(sum(fee_amount) AS DECIMAL(20,3)) AS fee_amount,
  CAST(sum(settled_amount) AS DECIMAL(20,3)) AS settled_amount,
  CAST(sum(stripe_net_amount) AS DECIMAL(20,3)) AS stripe_net_amount,
  CAST(sum(stripe_difference) AS DECIMAL(20,3)) AS stripe_difference,
  CAST(sum(settlement_difference) AS DECIMAL(20,3)) AS settlement_difference,
  CAST(sum(abs(stripe_difference)) AS DECIMAL(20,3)) AS absolute_stripe_difference,
  CAST(sum(abs(settlement_difference)) AS DECIMAL(20,3)) AS absolute_settlement_difference,
  sum(CASE WHEN stripe_difference <> 0 OR settlement_difference <> 0 THEN 1 ELSE 0 END) AS merchants_out_of_balance
FROM fct_daily_settlement
GROUP BY settlement_date, currency
