-- title           = "EC2 instances were launched in many Regions by one principal"
-- severity        = "high"
-- confidence      = "medium"
-- tags            = ["attack.impact", "attack.t1496", "attack.defense_evasion", "attack.t1535", "attack.t1496.001", "attack.t1578.002"]
-- remedy          = "Disable the key or revoke the sessions, terminate the instances in all Regions, and look for key pairs, roles and users made beside them."
-- false_positives = "A roll-out by hand to the Regions you work in; put its role in the suppress list; image pipelines (medium)."
SELECT userIdentity.arn AS who,
       count(DISTINCT awsRegion) AS regions,
       sample(awsRegion) AS some_regions,
       count(*) FILTER (WHERE errorCode IS NULL) AS launched,
       count(*) FILTER (WHERE errorCode IS NOT NULL) AS refused,
       sample(requestParameters ->> 'instanceType') AS instance_types,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(json_get_str(responseElements, 'instancesSet', 'items', 0, 'instanceId')) AS resource,
       CASE WHEN count(*) FILTER (WHERE errorCode IS NULL
                                        -- the roles of image pipelines launch one small instance in each
                                        AND (userIdentity.type <> 'AssumedRole'
                                             OR userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%'
                                             OR sessionCredentialFromConsole
                                             OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL
                                             OR json_get_int(requestParameters, 'instancesSet', 'items', 0, 'maxCount') > 1
                                             OR regexp_like(requestParameters ->> 'instanceType', '^(p|g|trn|inf)[0-9]|[.]([4-9]|[0-9]{2,3})xlarge|[.]metal'))) > 0 THEN 'high'
            ELSE 'medium' END AS severity,
       CASE WHEN count(*) FILTER (WHERE errorCode IS NULL) > 0 THEN 'EC2 instances were launched in many Regions by one principal'
            ELSE 'Somebody tried to launch EC2 instances in many Regions' END AS title
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'RunInstances'
  AND coalesce(errorCode, '') <> 'Client.DryRunOperation'
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING count(DISTINCT awsRegion) >= 4
