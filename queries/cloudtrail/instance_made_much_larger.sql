-- title           = "EC2 instance was changed to an accelerated or very large type"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1578.005", "attack.impact", "attack.t1496.001"]
-- remedy          = "Ask who needs it; if nobody does, put the earlier type back, see what runs on the instance, and contain the principal. It passes alarms that look at launches only."
-- false_positives = "Databases and machine learning on instances of one's own that grow."
SELECT eventTime,
       coalesce(requestParameters -> 'instanceType' ->> 'value', CASE WHEN requestParameters ->> 'attribute' = 'instanceType' THEN requestParameters ->> 'value' END) AS instance_type,
       errorCode,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'instanceId' AS resource,
       CASE WHEN errorCode IS NULL THEN 'medium' ELSE 'low' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'EC2 instance was changed to an accelerated or very large type'
            ELSE 'Somebody tried to change an EC2 instance to an accelerated or very large type' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'ModifyInstanceAttribute'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%')
  AND userIdentity.invokedBy IS NULL
  AND regexp_like(coalesce(requestParameters -> 'instanceType' ->> 'value', CASE WHEN requestParameters ->> 'attribute' = 'instanceType' THEN requestParameters ->> 'value' END), '^(p[0-9]|g[0-9]|gr[0-9]|trn|inf|dl|vt|f[0-9]|u-|u7|x[0-9])|[.](metal|(1[2-9]|[2-9][0-9]|[0-9]{3})xlarge)')
