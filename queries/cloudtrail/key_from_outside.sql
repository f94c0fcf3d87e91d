-- title    = "Key was brought from outside AWS, or a key's name pointed at another key by a person"
-- severity = "medium"
-- key      = ["account", "userIdentity.arn", "eventName"]
-- tags     = ["attack.impact", "attack.t1486"]
-- remedy   = "Ask the owner. What is encrypted with material that somebody else holds, or that expires, is theirs to give back: point the alias at the former key, and look what was encrypted since."
SELECT eventTime,
       eventName,
       coalesce(requestParameters ->> 'origin', requestParameters ->> 'expirationModel') AS how,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'aliasName', requestParameters ->> 'keyId', requestParameters ->> 'targetKeyId', requestParameters ->> 'customKeyStoreName', requestParameters ->> 'customKeyStoreId') AS resource,
       CASE WHEN eventName = 'ImportKeyMaterial' THEN 'Key material was brought from outside AWS'
            WHEN eventName = 'CreateKey' THEN 'KMS key for material from outside AWS was made'
            WHEN eventName = 'UpdateAlias' THEN 'Name of a KMS key was pointed at another key by hand'
            ELSE 'Store of KMS keys outside AWS was connected or changed' END AS title
FROM cloudtrail
WHERE eventSource = 'kms.amazonaws.com'
  AND eventName IN ('ImportKeyMaterial', 'CreateKey', 'UpdateAlias', 'CreateCustomKeyStore', 'UpdateCustomKeyStore')
  AND (eventName <> 'CreateKey'
       OR requestParameters ->> 'origin' LIKE 'EXTERNAL%')
  AND NOT is_infrastructure_tool()
  AND (eventName <> 'UpdateAlias'
       OR is_by_hand())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
