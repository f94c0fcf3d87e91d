-- title           = "Alarm, metric filter, rule or subscription that tells of events was taken off by hand"
-- severity        = "medium"
-- confidence      = "medium"
-- tags            = ["attack.defense_evasion", "attack.t1562.001", "attack.t1562.008", "attack.t1562.006"]
-- remedy          = "See what it told of and whom; put it back if nobody claims it."
-- false_positives = "Clean-up of old alarms; who silences alarms or rules on a third day of a week, as on call (low)."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS what,
       sourceIPAddress,
       userAgent,
       array_transform(latest, v -> substr(v, 12)) AS resource,
       -- event_rule_disabled and log_forwarding_removed tell it
       CASE WHEN eventName = 'PutAlertManagerDefinition' THEN 'low'
            WHEN days >= 3 AND eventName IN ('DisableAlarmActions', 'DisableRule') AND NOT regexp_like(requestParameters, '(?i)guard-?duty|secur|cloudtrail|config|iam|root|siem|unauthori|login|sign-?in') THEN 'low'
            WHEN eventName = 'DisableRule' AND regexp_like(requestParameters ->> 'name', '(?i)guardduty|security|cloudtrail|config|iam|root|alert|siem')
                 OR eventName IN ('DeleteSubscriptionFilter', 'DeleteDestination')
                    AND regexp_like(requestParameters ->> 'logGroupName', '(?i)cloudtrail|flow-?log|vpc|guardduty|waf|route53|firewall|audit|security') THEN 'low' ELSE 'medium' END AS severity,
       CASE WHEN eventName = 'DeleteAlarms' THEN 'CloudWatch alarm was deleted by hand'
            WHEN eventName IN ('DisableAlarmActions', 'PutMetricAlarm') THEN 'CloudWatch alarm was silenced by hand'
            WHEN eventSource = 'aps.amazonaws.com' AND eventName LIKE 'Put%' THEN 'Whom the alerts of a Prometheus workspace are sent to was written anew by hand'
            WHEN eventSource = 'aps.amazonaws.com' THEN 'Alerts of a Prometheus workspace were deleted by hand'
            WHEN eventName = 'PutMetricFilter' THEN 'Metric filter of a log was written by hand so that it counts nothing'
            WHEN eventName = 'DeleteMetricFilter' THEN 'Metric filter of a log was deleted'
            WHEN eventName IN ('DeleteSubscriptionFilter', 'DeleteDestination', 'DeleteDelivery') THEN 'Delivery of a log was taken off'
            WHEN eventName = 'DeleteAccountPolicy' THEN 'Policy of logs was deleted'
            WHEN eventName IN ('DisableRule', 'RemoveTargets') THEN 'EventBridge rule was silenced by hand'
            WHEN eventName = 'DeleteEventBus' THEN 'Event bus was deleted by hand'
            WHEN eventName = 'SetSubscriptionAttributes' THEN 'Subscription to alerts was given a filter by hand'
            WHEN eventName IN ('Unsubscribe', 'DeleteTopic') THEN 'Topic that alerts was deleted or unsubscribed from by hand'
            WHEN eventName = 'DeleteEventSubscription' THEN 'Subscription to events of databases was deleted by hand'
            WHEN eventName = 'DeleteLink' THEN 'Account was cut off from the one that watches its logs and metrics'
            WHEN eventSource IN ('ssm-contacts.amazonaws.com', 'ssm-incidents.amazonaws.com') THEN 'Those who are called to incidents are no longer called'
            WHEN eventSource = 'lambda.amazonaws.com' THEN 'Function that acts on alerts was switched off or deleted by hand'
            WHEN eventName IN ('DeleteNotificationConfiguration', 'DisassociateChannel') THEN 'Notifications of the account were deleted by hand'
            ELSE 'Notifications of a backup vault were deleted by hand' END AS title
FROM (SELECT *,
             count(DISTINCT date_trunc('day', eventTime)) OVER week AS days,
             -- the latest ten, by seconds until the year 2100
             sample(CAST(4102444800 - to_unixtime(eventTime) AS varchar) || ' ' || coalesce(requestParameters -> 'alarmNames' ->> 0, requestParameters ->> 'logGroupName', requestParameters ->> 'rule', requestParameters ->> 'name', requestParameters ->> 'subscriptionArn', requestParameters ->> 'topicArn', requestParameters ->> 'subscriptionName', requestParameters ->> 'backupVaultName', requestParameters ->> 'arn', requestParameters ->> 'alarmName', requestParameters ->> 'resourceArn', requestParameters ->> 'functionName', requestParameters ->> 'identifier', requestParameters ->> 'contactId', requestParameters ->> 'contactChannelId', requestParameters ->> 'workspaceId', account)) OVER week AS latest
      FROM cloudtrail
      WHERE eventSource IN ('monitoring.amazonaws.com', 'logs.amazonaws.com', 'events.amazonaws.com', 'sns.amazonaws.com', 'rds.amazonaws.com', 'notifications.amazonaws.com', 'backup.amazonaws.com', 'oam.amazonaws.com', 'ssm-contacts.amazonaws.com', 'ssm-incidents.amazonaws.com', 'lambda.amazonaws.com', 'aps.amazonaws.com')
        AND eventName IN ('DeleteAlarms', 'DisableAlarmActions', 'DeleteMetricFilter', 'DeleteSubscriptionFilter', 'DeleteDestination', 'DisableRule', 'RemoveTargets', 'Unsubscribe', 'SetSubscriptionAttributes', 'DeleteTopic', 'DeleteDelivery', 'DeleteAccountPolicy', 'PutMetricAlarm',
                          'DeleteEventBus', 'DeleteEventSubscription', 'DeleteNotificationConfiguration', 'DeleteBackupVaultNotifications',
                          'DisassociateChannel', 'DeleteLink', 'DeleteContact', 'DeactivateContactChannel', 'DeleteResponsePlan', 'PutFunctionConcurrency20171031', 'DeleteFunction20150331',
                          'PutMetricFilter', 'DeleteAlertManagerDefinition', 'PutAlertManagerDefinition', 'DeleteRuleGroupsNamespace')
        AND (eventName <> 'DeleteTopic'
             OR regexp_like(requestParameters ->> 'topicArn', '(?i)alert|alarm|secur|guard|incident|monitor'))
        -- what a filter does not name is not sent
        AND (eventName <> 'SetSubscriptionAttributes'
             OR requestParameters ->> 'attributeName' = 'FilterPolicy'
                AND regexp_like(requestParameters ->> 'subscriptionArn', '(?i)alert|alarm|secur|guard|incident|monitor'))
        AND (eventName <> 'PutMetricAlarm'
             OR requestParameters ->> 'actionsEnabled' = 'false')
        -- each match counts as nothing; or of the events of CloudTrail none has the fields that it looks for
        AND (eventName <> 'PutMetricFilter'
             OR regexp_like(requestParameters ->> 'metricTransformations', '"metricValue"\s*:\s*"?0+([.]0*)?"?\s*[,}]')
             OR regexp_like(requestParameters ->> 'logGroupName', '(?i)cloudtrail')
                AND requestParameters ->> 'filterPattern' LIKE '%$.%'
                AND NOT regexp_like(requestParameters ->> 'filterPattern', '[$][.](event|errorCode|errorMessage|userIdentity|userAgent|sourceIPAddress|awsRegion|requestParameters|responseElements|additionalEventData|readOnly|resources|recipientAccountId|requestID|apiVersion|managementEvent|serviceEventDetails|sharedEventID|vpcEndpoint|tlsDetails|sessionCredentialFromConsole|insightDetails|edgeDeviceDetails|addendum)'))
        -- functions that act on what is told
        AND (eventSource <> 'lambda.amazonaws.com'
             OR regexp_like(requestParameters ->> 'functionName', '(?i)secur|guard-?duty|cloudtrail|incident|remediat|siem|forensic|quarantine|intrusion|threat')
                AND (eventName <> 'PutFunctionConcurrency20171031'
                     OR json_get_int(requestParameters, 'reservedConcurrentExecutions') = 0))
        AND userIdentity.invokedBy IS NULL
        AND NOT is_infrastructure_tool()
        AND (eventName IN ('DeleteMetricFilter', 'DeleteAccountPolicy', 'DeleteDelivery')
             OR is_by_hand())
      WINDOW week AS (PARTITION BY account, CASE WHEN userIdentity.sessionContext.sessionIssuer.arn LIKE '%AWSReservedSSO%' THEN userIdentity.arn ELSE coalesce(userIdentity.sessionContext.sessionIssuer.arn, userIdentity.arn) END, errorCode IS NULL,
                                 regexp_like(requestParameters, '(?i)guard-?duty|secur|cloudtrail|config|iam|root|siem|unauthori|login|sign-?in'), eventName
                      ORDER BY eventTime RANGE BETWEEN INTERVAL '7 days' PRECEDING AND CURRENT ROW))
WHERE errorCode IS NULL
