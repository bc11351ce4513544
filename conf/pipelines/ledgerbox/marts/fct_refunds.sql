SELECT
  refund_id,
  transaction_id,
  merchant_id,
  to_date(created_at) AS refund_date,
  processor,
  processor_ref,
  currency,
  amount,
  reason,
  status,
  created_at,
  updated_at,
  _batch_id AS batch_id,
  _extracted_at AS source_extracted_at
FROM refunds
