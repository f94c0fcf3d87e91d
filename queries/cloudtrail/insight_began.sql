-- title           = "CloudTrail Insights saw an unusual rate of a call or of its errors"
-- severity        = "low"
-- aws_services    = true
-- tags            = ["attack.discovery", "attack.t1580", "attack.impact", "attack.t1578"]
-- remedy          = "See who made the calls (attributions), and whether a deployment or a test explains the rate."
-- false_positives = "Deployments, load tests, and programs that are new."
-- key             = ["account", "awsRegion", "insightDetails ->> 'eventSource'", "insightDetails ->> 'eventName'", "insightDetails ->> 'insightType'"]
SELECT eventTime,
       insightDetails ->> 'eventSource' AS service,
       insightDetails ->> 'eventName' AS call,
       insightDetails ->> 'errorCode' AS error,
       insightDetails -> 'insightContext' -> 'statistics' ->> 'baseline' AS usual,
       insightDetails -> 'insightContext' -> 'statistics' ->> 'insight' AS now,
       insightDetails -> 'insightContext' ->> 'attributions' AS attributions,
       insightDetails ->> 'eventName' AS resource,
       -- what costs money, reads secrets, or cannot be undone
       CASE WHEN insightDetails ->> 'insightType' = 'ApiCallRateInsight'
                 AND regexp_like(insightDetails ->> 'eventName', '^(RunInstances|CreateFleet|GetSecretValue|CreateAccessKey|CreateUser|DeleteBucket|DeleteObjects?|DeleteSnapshot|DeregisterImage|DeleteDBSnapshot|DeleteVolume|DeleteRecoveryPoint|DisableKey|ScheduleKeyDeletion|TerminateInstances|ModifySnapshotAttribute|InvokeModel)$') THEN 'medium'
            ELSE 'low' END AS severity
FROM cloudtrail
WHERE eventType = 'AwsCloudTrailInsight'
  AND insightDetails ->> 'state' = 'Start'
