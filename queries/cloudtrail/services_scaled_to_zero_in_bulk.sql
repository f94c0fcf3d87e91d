-- title           = "Several services were scaled to zero by one principal"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1489"]
-- remedy          = "Ask the principal. If it was not meant: revoke its sessions and set the counts again; the earlier values are in the event history of CloudTrail."
-- false_positives = "People who stop a test environment for the night; a planned outage."
-- description     = "ECS services set to no tasks or deleted by force, Auto Scaling groups set to no instances, functions set to no concurrency: five in a quarter of an hour, by a person or an instance."
SELECT userIdentity.arn AS who,
       count(DISTINCT coalesce(requestParameters ->> 'cluster', '') || '/' || coalesce(requestParameters ->> 'service', requestParameters ->> 'autoScalingGroupName', requestParameters ->> 'functionName')) AS services,
       sample(eventName) AS calls,
       sample(awsRegion) AS regions,
       sample(coalesce(requestParameters ->> 'cluster', '') || '/' || coalesce(requestParameters ->> 'service', requestParameters ->> 'autoScalingGroupName', requestParameters ->> 'functionName')) AS resource,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses
FROM cloudtrail
WHERE eventSource IN ('ecs.amazonaws.com', 'autoscaling.amazonaws.com', 'lambda.amazonaws.com')
  AND eventName IN ('UpdateService', 'DeleteService', 'UpdateAutoScalingGroup', 'SetDesiredCapacity', 'PutFunctionConcurrency20171031')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND (requestParameters ->> 'desiredCount' = '0'
       OR requestParameters ->> 'force' = 'true' -- of DeleteService
       OR requestParameters ->> 'desiredCapacity' = '0'
       OR requestParameters ->> 'maxSize' = '0'
       OR requestParameters ->> 'reservedConcurrentExecutions' = '0')
  AND (is_by_hand() OR userIdentity.sessionContext.ec2RoleDelivery IS NOT NULL)
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '5 minutes', INTERVAL '15 minutes')
HAVING count(DISTINCT coalesce(requestParameters ->> 'cluster', '') || '/' || coalesce(requestParameters ->> 'service', requestParameters ->> 'autoScalingGroupName', requestParameters ->> 'functionName')) >= 5
