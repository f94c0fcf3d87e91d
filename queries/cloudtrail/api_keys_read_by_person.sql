-- title           = "Person read the values of API keys"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.t1552", "attack.t1528"]
-- remedy          = "Ask what for; give new keys to whom the keys belong if nobody can say."
-- false_positives = "Developers who look a key up."
SELECT eventTime,
       eventName,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'apiKey', account) AS resource
FROM cloudtrail
WHERE eventSource = 'apigateway.amazonaws.com'
  AND eventName IN ('GetApiKeys', 'GetApiKey')
  AND (requestParameters ->> 'includeValues' = 'true'
       OR requestParameters ->> 'includeValue' = 'true')
  AND coalesce(userAgent, '') NOT LIKE '%Terraform%'
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND is_by_hand()
