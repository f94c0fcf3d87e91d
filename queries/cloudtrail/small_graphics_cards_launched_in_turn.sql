-- title           = "Person launched graphics cards one by one in the console"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496", "attack.t1496.001"]
-- remedy          = "Ask the person what they are for; if nobody needs them, terminate them in every Region, and end the sessions of the person."
-- false_positives = "A course or a workshop, for which somebody makes the machines by hand."
-- description     = "One small graphics card, chosen in the console after a sign-in through IAM Identity Center, is somebody's desktop or notebook, and low where instances_unusual_launched tells it; four within six hours are what one call for four would be."
SELECT userIdentity.arn AS who,
       count(*) AS launched,
       sample(requestParameters ->> 'instanceType') AS instance_types,
       sample(awsRegion) AS regions,
       sample(sourceIPAddress) AS addresses,
       sample(json_get_str(responseElements, 'instancesSet', 'items', 0, 'instanceId')) AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName = 'RunInstances'
  AND sessionCredentialFromConsole
  AND userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%'
  AND regexp_like(requestParameters ->> 'instanceType', '^g[3-6][a-z]*[.](2?x)?large$')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '2 hours', INTERVAL '6 hours')
HAVING count(*) >= 4
