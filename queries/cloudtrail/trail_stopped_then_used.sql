-- title           = "Logging was stopped and the same principal went on to act"
-- severity        = "critical"
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "attack.impact"]
-- remedy          = "Start the trail again, revoke the sessions of the principal, and rebuild what it did from the event history of CloudTrail, which cannot be stopped."
-- false_positives = "Trails that are replaced by somebody who works on other things as well (medium)."
SELECT userIdentity.arn AS who,
       min(eventTime) FILTER (WHERE eventName IN ('StopLogging', 'DeleteTrail', 'DeleteEventDataStore')) AS stopped,
       sample(eventName) FILTER (WHERE eventName NOT IN ('StopLogging', 'DeleteTrail', 'DeleteEventDataStore', 'CreateTrail', 'StartLogging')) AS calls,
       sample(userAgent) AS user_agents,
       sample(sourceIPAddress) AS addresses,
       sample(coalesce(requestParameters ->> 'name', requestParameters ->> 'eventDataStore')) FILTER (WHERE eventName IN ('StopLogging', 'DeleteTrail', 'DeleteEventDataStore')) AS resource,
       CASE WHEN count(*) FILTER (WHERE eventName IN ('CreateTrail', 'StartLogging')) > 0 THEN 'medium' ELSE 'critical' END AS severity
FROM cloudtrail
WHERE eventName IN ('StopLogging', 'DeleteTrail', 'DeleteEventDataStore', 'CreateTrail', 'StartLogging',
                    'RunInstances', 'GetSecretValue', 'BatchGetSecretValue', 'CreateUser', 'CreateAccessKey', 'CreateLoginProfile', 'ModifySnapshotAttribute',
                    'ModifyDBSnapshotAttribute', 'PutBucketPolicy', 'UpdateAssumeRolePolicy', 'GetPasswordData', 'SendCommand', 'DeleteBucket',
                    'DeleteDBInstance', 'DeleteDBCluster', 'ScheduleKeyDeletion', 'DeleteRecoveryPoint', 'InvokeModel')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
GROUP BY userIdentity.arn, account, hop(eventTime, INTERVAL '20 minutes', INTERVAL '1 hour')
HAVING min(eventTime) FILTER (WHERE eventName IN ('StopLogging', 'DeleteTrail', 'DeleteEventDataStore'))
     < max(eventTime) FILTER (WHERE eventName NOT IN ('StopLogging', 'DeleteTrail', 'DeleteEventDataStore', 'CreateTrail', 'StartLogging'))
