SELECT
  merchant_id,
  legal_name,
  country,
  settlement_currency,
  fee_bps,
  status,
  created_at,
  _batch_id AS batch_id,
  _extracted_at AS source_extracted_at
FROM merchants
