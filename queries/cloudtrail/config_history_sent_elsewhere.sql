-- title    = "AWS Config was told to deliver elsewhere, or to forget its history soon"
-- severity = "medium"
-- tags     = ["attack.defense_evasion", "attack.t1562.008", "attack.t1562.001"]
-- remedy   = "Compare the bucket with the one it was, and whose it is; set the retention that your rules ask for."
SELECT eventTime,
       eventName,
       requestParameters -> 'deliveryChannel' ->> 's3BucketName' AS bucket,
       requestParameters ->> 'retentionPeriodInDays' AS days,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'deliveryChannel' ->> 'name', account) AS resource
FROM cloudtrail
WHERE eventSource = 'config.amazonaws.com'
  AND eventName IN ('PutDeliveryChannel', 'PutRetentionConfiguration')
  AND (json_get_int(requestParameters, 'retentionPeriodInDays') < 90
       OR eventName = 'PutDeliveryChannel'
          AND sessionCredentialFromConsole IS NOT TRUE
          AND NOT is_infrastructure_tool()
          AND is_by_hand_or_script())
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
