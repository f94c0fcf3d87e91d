-- title           = "Alarm, metric filter, rule or subscription that tells of events was taken off by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.008", "attack.t1562.006"]
-- remedy          = "See what it told of and whom; put it back if nobody claims it."
-- false_positives = "Clean-up of old alarms."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       coalesce(requestParameters -> 'alarmNames' ->> 0, requestParameters ->> 'logGroupName', requestParameters ->> 'rule', requestParameters ->> 'name', requestParameters ->> 'subscriptionArn', requestParameters ->> 'topicArn', eventName) AS resource
FROM cloudtrail
WHERE eventSource IN ('monitoring.amazonaws.com', 'logs.amazonaws.com', 'events.amazonaws.com', 'sns.amazonaws.com')
  AND eventName IN ('DeleteAlarms', 'DisableAlarmActions', 'DeleteMetricFilter', 'DeleteSubscriptionFilter', 'DeleteDestination', 'DisableRule', 'RemoveTargets', 'Unsubscribe', 'DeleteTopic', 'DeleteDelivery', 'DeleteAccountPolicy', 'PutMetricAlarm')
  AND (eventName <> 'DeleteTopic'
       OR regexp_like(requestParameters ->> 'topicArn', '(?i)alert|alarm|secur|guard|incident|monitor'))
  AND (eventName <> 'PutMetricAlarm'
       OR requestParameters ->> 'actionsEnabled' = 'false')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventName IN ('DeleteMetricFilter', 'DeleteAccountPolicy', 'DeleteDelivery')
       OR is_by_hand())
