-- title           = "Account was prepared to send text messages"
-- severity        = "medium"
-- tags            = ["attack.impact", "attack.t1496.003"]
-- remedy          = "Ask who needs it; set the spending limit back, and look at the messages sent since."
-- false_positives = "Teams that send messages to customers."
SELECT eventTime,
       eventName,
       eventSource,
       requestParameters AS change,
       sourceIPAddress,
       userAgent,
       account AS resource
FROM cloudtrail
WHERE eventSource IN ('sns.amazonaws.com', 'sms-voice.amazonaws.com')
  AND eventName IN ('SetSMSAttributes', 'SetTextMessageSpendLimitOverride', 'RequestPhoneNumber', 'RequestSenderId', 'CreateSMSSandboxPhoneNumber')
  AND errorCode IS NULL
  AND userIdentity.invokedBy IS NULL
  AND NOT is_infrastructure_tool()
  AND (eventName IN ('SetTextMessageSpendLimitOverride', 'RequestPhoneNumber', 'RequestSenderId')
       OR requestParameters LIKE '%MonthlySpendLimit%'
       OR is_by_hand_or_script())
