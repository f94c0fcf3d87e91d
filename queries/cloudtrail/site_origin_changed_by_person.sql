-- title           = "Person changed a web site that takes its pages from outside AWS"
-- severity        = "low"
-- confidence      = "low"
-- tags            = ["attack.impact", "attack.defense_evasion", "attack.t1491.002", "attack.t1565.002"]
-- remedy          = "Compare the origins with what your templates say. If one is not yours: put the old configuration back, and revoke the sessions of the principal."
-- false_positives = "Somebody who changes settings of a distribution whose origin is a server of your own."
-- description     = "CloudTrail has the new configuration alone, so that each change by hand of a distribution with an origin that is no name of AWS is told: medium of a key that never ends and of a program's credentials, low of a person's session."
SELECT eventTime,
       eventName,
       json_texts(requestParameters, 'distributionConfig', 'origins', 'items', 'domainName') AS origins,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters ->> 'id', json_get_str(responseElements, 'distribution', 'id')) AS resource,
       CASE WHEN userIdentity.accessKeyId LIKE 'AKIA%' OR NOT is_person() THEN 'medium' ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventSource = 'cloudfront.amazonaws.com'
  AND eventName LIKE 'UpdateDistribution%'
  AND array_any_match(json_texts(requestParameters, 'distributionConfig', 'origins', 'items', 'domainName'), v -> NOT regexp_like(v, '[.](amazonaws[.]com([.]cn)?|on[.]aws|api[.]aws)$'))
  AND NOT is_infrastructure_tool()
  AND is_by_hand()
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
