-- Every movement of money once, as a signed row; then one sum per merchant, day and currency.
WITH movements AS (
  SELECT
    merchant_id, to_date(captured_at) AS settlement_date, currency,
    amount AS captured, CAST(0 AS DECIMAL(18,3)) AS refunded, fee AS fees,
    CASE WHEN processor = 'stripe' THEN amount - fee ELSE CAST(0 AS DECIMAL(18,3)) END AS booked_at_stripe,
    CAST(0 AS DECIMAL(18,3)) AS stripe_net, CAST(0 AS DECIMAL(18,3)) AS settled
  FROM transactions
  WHERE status = 'captured'
  UNION ALL
  SELECT
    merchant_id, to_date(created_at), currency,
    CAST(0 AS DECIMAL(18,3)), amount, CAST(0 AS DECIMAL(18,3)),
    CASE WHEN processor = 'stripe' THEN -amount ELSE CAST(0 AS DECIMAL(18,3)) END,
    CAST(0 AS DECIMAL(18,3)), CAST(0 AS DECIMAL(18,3))
  FROM refunds
  WHERE status = 'succeeded'
  UNION ALL
  SELECT
    coalesce(c.merchant_id, r.merchant_id), to_date(b.created_at), b.currency,
    CAST(0 AS DECIMAL(18,3)), CAST(0 AS DECIMAL(18,3)), CAST(0 AS DECIMAL(18,3)), CAST(0 AS DECIMAL(18,3)),
    b.net, CAST(0 AS DECIMAL(18,3))
  FROM stripe_balance_transactions b
  LEFT JOIN stripe_charges c ON c.charge_id = b.source_id
  LEFT JOIN stripe_refunds r ON r.stripe_refund_id = b.source_id
  WHERE b.type IN ('charge', 'refund')
  UNION ALL
  SELECT
    merchant_id, settlement_date, currency,
    CAST(0 AS DECIMAL(18,3)), CAST(0 AS DECIMAL(18,3)), CAST(0 AS DECIMAL(18,3)), CAST(0 AS DECIMAL(18,3)),
    CAST(0 AS DECIMAL(18,3)), net_amount
  FROM settlements -- also where the payout failed: the settlement stands and is paid again
)
SELECT
  coalesce(merchant_id, 'unknown') AS merchant_id,
  settlement_date,
  currency,
  CAST(sum(captured) AS DECIMAL(18,3)) AS captured_amount,
  CAST(sum(refunded) AS DECIMAL(18,3)) AS refunded_amount,
  CAST(sum(fees) AS DECIMAL(18,3)) AS fee_amount,
  CAST(sum(settled) AS DECIMAL(18,3)) AS settled_amount,
  CAST(sum(booked_at_stripe) AS DECIMAL(18,3)) AS booked_at_stripe_amount,
  CAST(sum(stripe_net) AS DECIMAL(18,3)) AS stripe_net_amount,
  CAST(sum(booked_at_stripe) - sum(stripe_net) AS DECIMAL(18,3)) AS stripe_difference,
  CAST(sum(captured) - sum(refunded) - sum(fees) - sum(settled) AS DECIMAL(18,3)) AS settlement_difference
FROM movements
WHERE settlement_date IS NOT NULL
GROUP BY coalesce(merchant_id, 'unknown'), settlement_date, currency
