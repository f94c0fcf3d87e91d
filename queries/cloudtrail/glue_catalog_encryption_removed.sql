-- title      = "Encryption of the Glue data catalog was turned off"
-- severity   = "medium"
-- confidence = "high"
-- tags       = ["attack.defense_evasion", "attack.t1562", "attack.t1600"]
-- remedy     = "Set the catalog encryption and the connection password encryption back to their KMS keys."
SELECT 'arn:aws:glue:' || awsRegion || ':' || account || ':catalog' AS resource,
       requestParameters -> 'dataCatalogEncryptionSettings' -> 'encryptionAtRest' ->> 'catalogEncryptionMode' AS mode,
       requestParameters -> 'dataCatalogEncryptionSettings' -> 'connectionPasswordEncryption' ->> 'returnConnectionPasswordEncrypted' AS passwords_encrypted
FROM cloudtrail
WHERE eventSource = 'glue.amazonaws.com'
  AND eventName = 'PutDataCatalogEncryptionSettings'
  AND errorCode IS NULL
  AND (requestParameters -> 'dataCatalogEncryptionSettings' -> 'encryptionAtRest' ->> 'catalogEncryptionMode' = 'DISABLED'
    OR requestParameters -> 'dataCatalogEncryptionSettings' -> 'connectionPasswordEncryption' ->> 'returnConnectionPasswordEncrypted' = 'false')
