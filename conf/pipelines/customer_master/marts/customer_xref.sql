SELECT
  source,
  record,
  own_customer_id,
  customer_id,
  valid_from,
  valid_to,
  is_current,
  event,
  previous_customer_id,
  record_ended,
  CAST(pmod(crc32(customer_id), 8) AS INT) AS bucket
FROM customer_links
