-- title           = "KMS key was scheduled for deletion or lost its key material"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1485", "attack.t1486", "cis.4.7"]
-- remedy          = "Call CancelKeyDeletion and EnableKey now, ask questions after; imported material has to be imported again from your copy."
-- false_positives = "Terraform destroying a test stack; a program that does so on a third day of a week (low)."
SELECT eventTime,
       eventName,
       requestParameters ->> 'pendingWindowInDays' AS pending_days,
       errorCode,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       CASE WHEN errorCode IS NOT NULL OR days >= 3 AND NOT is_person() AND eventName = 'ScheduleKeyDeletion' THEN 'low'
            WHEN eventName = 'DeleteImportedKeyMaterial' THEN 'high'
            ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NOT NULL THEN 'Somebody tried to destroy a KMS key'
            WHEN eventName = 'DeleteImportedKeyMaterial' THEN 'KMS key lost its imported material, and works no more'
            ELSE 'KMS key was scheduled for deletion' END AS title
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(resources[1].arn, responseElements ->> 'keyId', requestParameters ->> 'keyId')) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource = 'kms.amazonaws.com'
        AND eventName IN ('ScheduleKeyDeletion', 'DeleteImportedKeyMaterial')
      WINDOW week AS (PARTITION BY account, coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn), is_person(), is_by_hand_or_script(), errorCode IS NULL, eventName
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%'
