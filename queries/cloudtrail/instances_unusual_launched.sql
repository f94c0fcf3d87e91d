-- title           = "Accelerated or very large EC2 instances were launched"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496", "attack.t1496.001"]
-- remedy          = "Ask who needs them; if nobody does, terminate them in every Region, deny ec2:RunInstances for these types by a service control policy, and contain the principal."
-- false_positives = "Machine learning and batch teams; head nodes of computing clusters; clusters that EMR or Batch launch for them, and, in the console after a sign-in through IAM Identity Center, one small graphics card or what is refused (low)."
SELECT eventTime,
       requestParameters ->> 'instanceType' AS instance_type,
       json_get_int(requestParameters, 'instancesSet', 'items', 0, 'maxCount') AS count,
       errorCode,
       sourceIPAddress,
       userAgent,
       coalesce(json_get_str(responseElements, 'instancesSet', 'items', 0, 'instanceId'), account) AS resource,
       CASE WHEN userIdentity.invokedBy IS NOT NULL THEN 'low'
            -- the console offers what the permission set then refuses
            WHEN errorCode NOT LIKE '%LimitExceeded' AND sessionCredentialFromConsole AND userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN 'low'
            -- the controller of a cluster takes what is cheap and large enough
            WHEN errorCode IS NULL AND json_get_int(requestParameters, 'instancesSet', 'items', 0, 'maxCount') <= 2
                 AND NOT is_by_hand_or_script()
                 AND userIdentity.sessionContext.ec2RoleDelivery IS NULL
                 AND NOT regexp_like(requestParameters ->> 'instanceType', '^(p[0-9]|g[0-9]|gr[0-9]|trn|inf|dl|vt|f[0-9]|u-|u7)') THEN 'low'
            -- the desktop or notebook of somebody who signed in so: one small graphics card, chosen in the console
            WHEN errorCode IS NULL AND json_get_int(requestParameters, 'instancesSet', 'items', 0, 'maxCount') = 1
                 AND sessionCredentialFromConsole AND userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%'
                 AND regexp_like(requestParameters ->> 'instanceType', '^g[3-6][a-z]*[.](2?x)?large$') THEN 'low'
            WHEN errorCode IS NULL AND json_get_int(requestParameters, 'instancesSet', 'items', 0, 'maxCount') >= 4
                 AND is_person() THEN 'high'
            ELSE 'medium' END AS severity,
       CASE WHEN errorCode IS NULL THEN 'Accelerated or very large EC2 instances were launched'
            ELSE 'Somebody tried to launch accelerated or very large EC2 instances' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'RunInstances'
  AND (errorCode IS NULL OR errorCode LIKE '%AccessDenied%' OR errorCode LIKE '%Unauthorized%' OR errorCode LIKE '%LimitExceeded')
  AND regexp_like(requestParameters ->> 'instanceType', '^(p[0-9]|g[0-9]|gr[0-9]|trn|inf|dl|vt|f[0-9]|u-|u7|x[0-9])|[.](metal|(1[2-9]|[2-9][0-9]|[0-9]{3})xlarge)')
  AND requestParameters ->> 'instanceType' NOT LIKE 'mac%'
