-- title           = "Person made an image of an instance and launched it soon after"
-- severity        = "medium"
-- tags            = ["attack.credential_access", "attack.collection", "attack.defense_evasion", "attack.t1578.002", "attack.t1003.003", "attack.t1578.001"]
-- remedy          = "Ask whoever it was. The copy holds the disks of the instance, with keys, passwords and (of a domain controller) the directory: stop it, and rotate them if nobody can say."
-- false_positives = "An engineer who looks into a broken server on a copy of it."
SELECT userIdentity.arn AS who,
       coalesce(responseElements ->> 'imageId', json_get_str(responseElements, 'instancesSet', 'items', 0, 'imageId')) AS image,
       sample(requestParameters ->> 'instanceId') AS instances,
       sample(eventName) AS calls,
       coalesce(responseElements ->> 'imageId', json_get_str(responseElements, 'instancesSet', 'items', 0, 'imageId')) AS resource
FROM cloudtrail
WHERE eventSource = 'ec2.amazonaws.com'
  AND eventName IN ('CreateImage', 'RunInstances') -- equivalent: HAVING asks for the names, too
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND coalesce(responseElements ->> 'imageId', json_get_str(responseElements, 'instancesSet', 'items', 0, 'imageId')) IS NOT NULL
  AND is_by_hand()
GROUP BY userIdentity.arn, account, coalesce(responseElements ->> 'imageId', json_get_str(responseElements, 'instancesSet', 'items', 0, 'imageId')), hop(eventTime, INTERVAL '1 hour', INTERVAL '6 hours')
HAVING in_order(eventTime, eventName = 'CreateImage', eventName = 'RunInstances')
