-- title           = "CloudTrail trail was narrowed to one Region, without global events or without validation"
-- severity        = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.008", "cis.4.5"]
-- remedy          = "Compare the trail with its definition in code; set multi-Region, global service events and log file validation on again with UpdateTrail."
-- false_positives = "A trail that was made for one Region on purpose."
SELECT eventTime,
       requestParameters ->> 'isMultiRegionTrail' AS multi_region,
       requestParameters ->> 'includeGlobalServiceEvents' AS global_events,
       requestParameters ->> 'enableLogFileValidation' AS validation,
       requestParameters ->> 's3BucketName' AS bucket,
       sourceIPAddress,
       userAgent,
       requestParameters ->> 'name' AS resource
FROM cloudtrail
WHERE eventSource = 'cloudtrail.amazonaws.com'
  AND eventName = 'UpdateTrail'
  AND errorCode IS NULL
  AND (requestParameters ->> 'isMultiRegionTrail' = 'false'
       OR requestParameters ->> 'includeGlobalServiceEvents' = 'false'
       OR requestParameters ->> 'isOrganizationTrail' = 'false'
       -- its copy in CloudWatch Logs, where alarms look
       OR requestParameters ->> 'cloudWatchLogsLogGroupArn' = ''
       OR requestParameters ->> 'snsTopicName' = ''
       OR requestParameters ->> 'enableLogFileValidation' = 'false')
