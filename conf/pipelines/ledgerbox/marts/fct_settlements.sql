SELECT
  settlement_id,
  merchant_id,
  settlement_date,
  currency,
  gross_amount,
  fee_amount,
  refund_amount,
  net_amount,
  status,
  paid_at,
  updated_at,
  _batch_id AS batch_id,
  _extracted_at AS source_extracted_at
FROM settlements
